"""`/docs`: the OpenAPI file as a page that needs no network but ours."""
