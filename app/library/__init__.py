"""What the services stand on and what knows neither the database nor who is asking: the worker processes."""
