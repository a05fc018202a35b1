"""What makes the models in `models/` on this machine: pretrained weights out of packages, adapters merged, exports."""
