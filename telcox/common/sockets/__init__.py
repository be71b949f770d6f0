"""WebSockets: the server, how it stops, who has connected, how much they may send."""
