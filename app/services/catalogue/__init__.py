"""What the group saved: templates, basis sets, and who reviewed them."""
