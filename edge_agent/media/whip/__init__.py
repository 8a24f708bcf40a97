"""A browser's or phone's camera, pushed to the agent over WebRTC (WHIP, RFC 9725)."""
