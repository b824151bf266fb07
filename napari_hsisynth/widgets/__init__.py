"""Everything that touches Qt or napari: docks, readers and writers for napari, and what they share."""
