"""Photographs as they are: restore one, or compare methods on some, where no clean original exists."""
