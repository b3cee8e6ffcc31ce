"""Classic methods: the fusion with a φ that someone fixed by hand. One file each."""
