"""People: permissions, secrets, addresses, credentials, and how guessing is slowed down."""
