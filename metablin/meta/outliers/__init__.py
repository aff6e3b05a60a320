"""Random effects that allow for outlying studies: Student's t, and a mixture of two normals."""
