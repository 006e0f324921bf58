# make bench: the budgets, measured in instructions.

# The release build, whatever STRICT is: that is what costs.
bench: ## measure what Nestling costs L1 and L2; BUDGET=1 fails where it is over what is asked, DOCS=1 writes docs/bench.*
	@$(MAKE) --no-print-directory STRICT=0 all
	@BUILD='$(BUILD)' BUDGET='$(BUDGET)' tests/bench/run $(if $(filter 1,$(DOCS)),--docs)
