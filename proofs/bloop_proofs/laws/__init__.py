"""The laws that many methods obey; those of one method stand with it."""
