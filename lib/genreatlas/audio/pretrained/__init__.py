"""Conversion of pretrained networks to ONNX files for extraction."""
