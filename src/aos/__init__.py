"""AOS: an LLM gateway and an agent runtime behind one gate."""
