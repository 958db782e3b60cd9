"""HTTP: pages, REST and the live stream. A route parses, calls one service, renders."""
