"""What devices and the control plane say to each other over MQTT: topics, messages and their rules.

Knows neither side and does no networking. docs/protocol.md tells the same in prose.
"""
