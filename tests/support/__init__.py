"""What tests are built from: the lab, the service as a process, a database server."""
