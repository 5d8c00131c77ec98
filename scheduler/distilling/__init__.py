"""A distillation from request to record: plan, experiments, candidates, guard, resume."""
