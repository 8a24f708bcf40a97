"""The control plane: agents, streams and model rollouts, over MQTT and HTTP."""
