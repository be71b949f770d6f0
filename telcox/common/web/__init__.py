"""HTTP: admission, authentication, permissions, parsing, problems (RFC 9457), health."""
