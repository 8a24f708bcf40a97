"""Where protected streams arrive by RTMP and become what browsers play."""
