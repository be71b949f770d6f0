"""What the pages of the back-office share: admin classes, forms, previews."""
