"""What is known of each cause: one YAML page a cause, in `causes/`, and the loader that checks them."""
