"""Pretrained networks that can be brought into the form that extraction runs: conversion alone, once."""
