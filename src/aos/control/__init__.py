"""The control plane's HTTP doors: one folder per resource."""
