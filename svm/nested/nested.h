/*
 * Nested SVM: L1's VMRUN, the #VMEXIT that it sees, and whose an exit of L2 is. Relies on
 * svm/vcpu.h.
 */
#ifndef SVM_NESTED_H
#define SVM_NESTED_H

#include "svm/vcpu.h"

/* snapshot.c */

/*
 * What VMRUN reads of VMCB12, into L0's own copies; the state that #VMEXIT gives back. All is
 * without what is VMLOAD's, and gPAT is there with nested paging only. Each word is read once:
 * another processor of L1's may write VMCB12 meanwhile. Returned is what is another than it was in
 * these copies: clean bits, and three more.
 */
#define CHANGED_AGAIN   (1u << 29) /* what nested_check_again() judges, but for EVENTINJ */
#define CHANGED_CONTROL (1u << 30) /* what decides of the control area for many VMRUNs */
#define CHANGED_CS      (1u << 31) /* attributes among others */
/* All that nested_check() judges, but for what nested_check_again() does. */
#define CHANGED_CHECKED (CHANGED_CONTROL | CHANGED_CS | CLEAN_CRX | CLEAN_DRX | CLEAN_NP)
uint32_t nested_take_control(struct nested_control *to, const volatile struct vmcb_control *from);
uint32_t nested_take_state(struct vmcb_save *to, const volatile struct vmcb_save *from, bool g_pat);
void nested_give_state(volatile struct vmcb_save *to, const struct vmcb_save *from, bool g_pat);

/* vmcb02.c: changes to the VMCB02 of the VMCB12 at this gpa, another than the last one. */
void nested_use_vmcb02(struct vcpu *vcpu, uint64_t gpa);

/* L1 executes VMRUN: from VMCB12, at this gpa (checked: aligned, within the physical width). */
void nested_vmrun(struct vcpu *vcpu, uint64_t vmcb12_gpa);

/*
 * #VMEXIT from L2 to L1 with this code; the rest of what VMCB12 gets is VMCB02's. Makes VMCB01 the
 * VMCB in use.
 */
void nested_exit(struct vcpu *vcpu, uint64_t code, uint64_t info1, uint64_t info2);

/*
 * The processor itself refused VMCB02, for a rule that nested_check() does not know. A bug of L0's
 * in STRICT builds; else L1 sees its VMRUN fail.
 */
void nested_refused(struct vcpu *vcpu);

/* instructions.c: L1's SVM instructions, and L2's that L1 does not intercept. */
void handle_vmrun(struct vcpu *vcpu);
void handle_vmload(struct vcpu *vcpu);
void handle_vmsave(struct vcpu *vcpu);
void handle_stgi(struct vcpu *vcpu);
void handle_clgi(struct vcpu *vcpu);
void handle_skinit(struct vcpu *vcpu);
void handle_invlpga(struct vcpu *vcpu);

/* #VMEXIT(#GP) in L1, see watch_gp(). */
void handle_gp(struct vcpu *vcpu);

/* check.c */

/*
 * May VMRUN enter with this state? save is L0's own copy. Returns NULL, or the rule of APM
 * section 15.5.1 that fails, for the log.
 */
const char *nested_check(const struct nested_control *control, const struct vmcb_save *save);

/* The rules for what each VMRUN may have new, where all others hold. */
const char *nested_check_again(const struct nested_control *control, const struct vmcb_save *save);

/* What L1's own paging must be. */
const char *nested_check_host(const struct nested_control *control, const struct vmcb_save *host);

/* vmrun.c: VMCB02's control area from L1's, as long as that stays as it is and L0 edits nothing. */
void nested_build_control(const struct vcpu *vcpu, struct vmcb_control *control);

/* extensions.c: only where features.extensions is set. */

/* Makes the rest of VMCB02, from VMCB12; and of VMCB12, for a #VMEXIT with this code. */
void nested_enter_extensions(struct vcpu *vcpu);
void nested_exit_extensions(struct vcpu *vcpu, uint64_t code);

/* maps.c */

/* To be called once, before any of the others. */
void nested_maps_init(void);

/* Of a new processor: count maps of so many pages each, which are no map of L1's yet; l0: L0's own.
 */
void merged_maps_init(struct merged_maps *maps, const uint64_t *l0, unsigned int pages,
                      unsigned int count);

/*
 * The hpas of the maps for VMCB02: L1's permissions and L0's together; all ones while L2 can write
 * L1's map.
 */
uint64_t msrpm_for_l2(struct vcpu *vcpu);
uint64_t iopm_for_l2(struct vcpu *vcpu);

/* That for a step of string I/O: as L1 has it now, whoever may write it. */
uint64_t iopm_for_step(struct vcpu *vcpu);

/* L1 wrote a frame that a map of this processor's may be in. The mmu's lock is held. */
void nested_map_written(struct vcpu *vcpu, uint64_t gpa);

/*
 * L0 did, or L2 is about to be able to. Returns whether L2 may run on by a copy, out of use for
 * long or not: then a flush has to come first. The mmu's lock is held.
 */
bool nested_map_opens(struct vcpu *vcpu, uint64_t gpa);

/*
 * Before L2 is entered again without a VMRUN: where a copy of a map is out of use all accesses
 * exit, so that L1's own map decides as it is at each of them.
 */
void nested_maps_renew(struct vcpu *vcpu);

/* Does L1 intercept this access of L2's to an MSR, to the ports of #VMEXIT(IOIO)'s EXITINFO1? */
bool msr_is_intercepted(struct vcpu *vcpu, uint32_t msr, bool write);
bool io_is_intercepted(struct vcpu *vcpu, uint64_t info);

/* string_io.c */

/* Lets L2's INS or OUTS pass, which has exited: L1 does not intercept it, nor need L0 see it. */
void nested_step_string(struct vcpu *vcpu);

/* L2 has exited from that. Returns whether all is done for this exit; else it is as any other. */
bool nested_string_stepped(struct vcpu *vcpu);

/* npt.c */

/* Sets VMCB02's nested paging for VMCB12's. */
void nested_load_root(struct vcpu *vcpu);

/* #VMEXIT(NPF) of L2. */
void handle_l2_npf(struct vcpu *vcpu);

#endif
