/*
 * In place of boot/bios_int15.asm on the host: 100 bytes of code, and 20 of data at their end.
 */
__asm__("	.section .rodata\n"
        "	.globl int15_begin, int15_data, int15_end\n"
        "int15_begin:	.fill 100, 1, 0x90\n"
        "int15_data:	.fill 20, 1, 0xcc\n"
        "int15_end:	.byte 0xee\n"
        "	.text\n");
