"""Who is there: accounts, logins, sessions, passwords, and how much each may use."""
