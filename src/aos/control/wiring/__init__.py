"""`/api/v1/wiring`: what stands behind each port of the process that answers."""
