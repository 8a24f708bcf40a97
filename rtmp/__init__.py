"""The server's side of RTMP, for who waits to be published to. Imports nothing of Veilcast."""
