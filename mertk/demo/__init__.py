"""A page in a browser that lets trained models answer: record or upload a clip, see what they say of it."""
