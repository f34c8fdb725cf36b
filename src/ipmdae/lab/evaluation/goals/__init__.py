"""Goals of the networks, judged by stored results."""
