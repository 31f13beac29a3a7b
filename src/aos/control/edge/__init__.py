"""The outermost layer of the control plane."""
