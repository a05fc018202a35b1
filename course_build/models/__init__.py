"""The models in `models/`, made on this machine: pretrained weights out of packages, adapters merged, exports."""
