"""Who may use a door of the control plane."""
