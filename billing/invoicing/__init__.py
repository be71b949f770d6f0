"""From a rated period to an issued document: drafting, numbering, sealing, quarantine, late usage."""
