"""The data path: admit → dispatch → settle. The only way to a provider."""
