"""Stand-ins for the providers' APIs, over real HTTP on loopback: for the tests and the tour, never for the internet."""
