"""What happens to data on its way."""
