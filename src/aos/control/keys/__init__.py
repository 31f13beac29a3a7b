"""`/api/v1/keys`: make, list, change, rotate and revoke keys; what one's own key may do."""
