"""What is read from files or computed in worker processes for the services. Knows neither the database nor who is asking."""
