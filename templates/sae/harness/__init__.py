"""The frozen part of the template: world, streams of activations, evaluation, results. The coder may not edit it."""
