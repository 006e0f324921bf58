# Nested SVM on a VMCB12 that is made up, and on processors that no emulator is.
NESTED_RIG := tests/unit/nested_rig.c tests/unit/nested_memory.c tests/unit/nested_never.c tests/unit/fake_cpuid.c \
	svm/nested/vmrun.c svm/nested/vmcb02.c svm/nested/snapshot.c svm/nested/vmexit.c \
	svm/nested/check.c svm/nested/extensions.c \
	svm/nested/maps.c svm/nested/npt.c svm/event/event.c svm/event/step.c svm/event/priority.c svm/apic/fault.c svm/emulate/intercepts.c svm/quirks/quirks.c svm/quirks/vector0.c svm/emulate/msr.c svm/emulate/msr_list.c svm/emulate/perf.c svm/emulate/ports.c svm/strict.c mmu/format.c

NESTED_TESTS := nested_extensions nested_entry nested_check nested_exit nested_reads nested_owner \
	nested_maps nested_again nested_tpr strict machine_check
$(foreach test,$(NESTED_TESTS),$(eval test_$(test)_SRC := $(NESTED_RIG)))
test_features_SRC := tests/unit/fake_cpuid.c
EVENT_TESTS := priority event
$(foreach test,$(EVENT_TESTS),$(eval test_$(test)_SRC := tests/unit/event_rig.c))
test_cpuid_SRC    := tests/unit/fake_cpuid.c
test_msr_SRC      := tests/unit/fake_cpuid.c svm/emulate/msr_list.c
test_perf_SRC     := $(test_msr_SRC)
SVM_MUTANT_TESTS := $(NESTED_TESTS) $(EVENT_TESTS) features l1_memory memory_types memory_registers cpuid pae_host msr perf join startup signals decode instructions \
	sleep a20 apic kept apic_base apic_many apic_decode vector0 frequency
