#!/bin/bash
# On a machine with a BIOS, L1 may be entered in real mode, and may ask the BIOS for memory itself:
# INT 15h offers it what the boot information does, and nothing of Nestling's. Two small images made
# here ask, one that goes back to real mode and one that has Linux's setup header.
. "$(dirname "$0")/lib.sh"

temporary_dir

# What asks: in real mode, at offset 0 of CS. It prints words of hex on COM1 and ends with success.
cat >"$dir/ask.inc" <<'EOF2'
	bits	16
ask:	mov	ax, cs
	mov	ds, ax
	mov	es, ax
	xor	ebx, ebx
	mov	ebp, 0x12345678			; what is to stay
.next:	mov	eax, 0xe820
	mov	edx, 0x534d4150
	mov	ecx, 24
	mov	di, buffer - ask
	std					; the caller's, whatever the handler needs
	int	0x15
	cld
	jc	.end
	cmp	eax, 0x534d4150
	jne	.end
	cmp	di, buffer - ask
	jne	.end
	mov	si, t_map - ask
	call	text
	mov	eax, [buffer - ask + 4]
	call	hex_space
	mov	eax, [buffer - ask]
	call	hex
	mov	eax, [buffer - ask + 12]
	call	hex_space
	mov	eax, [buffer - ask + 8]
	call	hex
	mov	eax, [buffer - ask + 16]
	call	hex_space
	mov	eax, ecx
	call	hex_line
	test	ebx, ebx
	jnz	.next
.end:	mov	si, t_kept - ask
	call	text
	mov	eax, ebp
	call	hex_line

	mov	eax, 0xe820			; another caller's, an entry behind the last, no room
	mov	edx, 0x534d4151
	mov	ecx, 20
	xor	ebx, ebx
	call	refused
	mov	eax, 0xe820
	mov	edx, 0x534d4150
	mov	ebx, 0x10000
	call	refused
	mov	eax, 0xe820
	mov	edx, 0x534d4150
	mov	ecx, 19
	xor	ebx, ebx
	call	refused
	mov	ax, 0xe881
	call	refused
	mov	ah, 0xc7
	call	refused
	mov	ah, 0x8a
	call	refused

	mov	ax, 0xe801
	xor	bx, bx
	xor	cx, cx
	xor	dx, dx
	int	0x15
	push	dx
	push	cx
	push	bx
	push	ax
	mov	cx, 4
.four:	pop	ax				; AX, BX, CX, DX
	mov	si, t_e801 - ask
	call	word_line
	loop	.four
	mov	ah, 0x88
	int	0x15
	mov	si, t_88 - ask
	call	word_line
	mov	ax, 0xda88
	xor	ecx, ecx
	xor	ebx, ebx
	int	0x15
	movzx	eax, cl
	shl	eax, 16
	mov	ax, bx
	mov	si, t_da88 - ask
	call	text
	call	hex_line
	int	0x12
	mov	si, t_12 - ask
	call	word_line
	mov	ah, 0xc0			; not about memory: the BIOS's own answer
	int	0x15
	mov	ax, es
	shl	eax, 16
	mov	ax, bx
	mov	si, t_c0 - ask
	call	text
	call	hex_line
	mov	al, 0
	out	0xf4, al
	jmp	$

refused:
	stc
	int	0x15
	pushf
	pop	bx
	and	bx, 1
	shl	ebx, 16
	mov	bl, ah
	mov	bh, 0
	mov	eax, ebx
	mov	si, t_refused - ask
	call	text
	jmp	hex_line

word_line:					; SI = what, AX
	movzx	eax, ax
	call	text
hex_line:
	call	hex_space
	mov	al, 10
	jmp	put
hex_space:
	push	eax
	mov	al, ' '
	call	put
	pop	eax
hex:	push	cx
	mov	cx, 8
.digit:	rol	eax, 4
	push	eax
	and	al, 15
	add	al, '0'
	cmp	al, '9'
	jbe	.put
	add	al, 'a' - '0' - 10
.put:	call	put
	pop	eax
	loop	.digit
	pop	cx
	ret
text:	push	eax
.next:	lodsb
	test	al, al
	jz	.end
	call	put
	jmp	.next
.end:	pop	eax
	ret
put:	push	dx
	push	ax
	mov	dx, 0x3fd
.wait:	in	al, dx
	test	al, 0x20
	jz	.wait
	pop	ax
	mov	dx, 0x3f8
	out	dx, al
	pop	dx
	ret
t_map:	db	"map", 0
t_kept:	db	"kept", 0
t_refused: db	"refused", 0
t_e801:	db	"e801", 0
t_88:	db	"88", 0
t_da88:	db	"da88", 0
t_12:	db	"int12", 0
t_c0:	db	"c0", 0
buffer:
EOF2

nasm -f bin -I "$dir/" -o "$dir/ask.bin" "$dir/ask.inc"

tiny_image asks 0x200000 "
		cld
		mov	esi, copy
		mov	edi, 0x8000
		mov	ecx, 0x400
		rep movsb
		lgdt	[gdtr]
		jmp	8:0x8000 + copy.real16 - copy
	copy:	incbin	'$dir/ask.bin'
	bits 16
	.real16: mov	ax, 16
		mov	ds, ax
		mov	es, ax
		mov	ss, ax
		mov	fs, ax
		mov	gs, ax
		mov	eax, cr0
		and	al, 0xfe
		mov	cr0, eax
		jmp	0:0x8000 + .real - copy
	.real:	xor	ax, ax
		mov	ss, ax
		mov	sp, 0x7c00
		lidt	[cs:0x8000 + .idtr - copy]
		jmp	0x800:0
	.idtr:	dw	0x3ff
		dd	0
	bits 32
	gdt:	dq	0, 0x00009b000000ffff, 0x000093000000ffff
	gdtr:	dw	23
		dd	gdt"

# Linux's setup header, of a protocol without or with a 32-bit entry that is none; what is at 1 MiB
# is cut short in its last paragraph. It tells its command line and its initrd, and asks.
cat >"$dir/setup.asm" <<'EOF2'
	bits	16
	times 0x1f1 db 0
	db	7			; setup_sects
	dw	0
	dd	4			; syssize, in 16 bytes
	times 0x1fe - ($ - $$) db 0
	dw	0xaa55
	jmp	short start
	db	"HdrS"
	dw	VERSION
	times 0x211 - ($ - $$) db 0
	db	1			; loadflags: loaded high
	times 0x22c - ($ - $$) db 0
	dd	0xffffffff, 0		; initrd_addr_max, kernel_alignment
	times 0x238 - ($ - $$) db 0
	dd	255			; cmdline_size
	times 0x268 - ($ - $$) db 0
start:	mov	si, t_line		; DS is the segment of all this, SS too
	call	print
	mov	eax, [0x228]		; cmd_line_ptr
	mov	esi, eax
	and	si, 15
	shr	eax, 4
	push	ds
	mov	ds, ax
	call	print
	pop	ds
	mov	si, t_initrd
	call	print
	mov	al, [0x21c]		; ramdisk_size
	add	al, '0'
	call	letter
	mov	al, 10
	call	letter
	mov	ax, ds
	add	ax, 0x60
	push	ax
	push	0
	retf
print:	lodsb
	test	al, al
	jz	.end
	call	letter
	jmp	print
.end:	ret
letter:	mov	dx, 0x3f8
	out	dx, al
	ret
t_line:	db	"line ", 0
t_initrd: db	10, "initrd ", 0
	times 0x600 - ($ - $$) db 0
	incbin	"ask.bin"
	times 0x1000 - ($ - $$) db 0
	times 55 db 0xcc		; at 1 MiB
EOF2
for version in 0x203 0x207; do
	nasm -f bin -I "$dir/" -DVERSION=$version -o "$dir/setup-$version.bin" "$dir/setup.asm"
done
printf 1234567 >"$dir/initrd"

# words_of WORD: the values behind the word in the log's lines, each with 0x before it.
words_of() {
	tr -d '\r' <"$log" | awk -v word="$1" '$1 == word { for (i = 2; i <= NF; i++) printf "0x%s%s", $i, i < NF ? " " : "\n" }'
}

# usable: the ranges of type 1 that E820h told, "BASE END", in order.
usable() {
	local base size type bytes
	words_of map | while read -r base size type bytes; do
		[ $((bytes)) = 20 ] || echo "$bytes bytes"
		[ $((type)) != 1 ] || echo "$((base)) $((base + size))"
	done
}

# within FILE: each range of the input lies in one of the file's.
within() {
	awk -v file="$1" '
		BEGIN { while ((getline line < file) > 0) { split(line, part, " "); low[++n] = part[1]; high[n] = part[2] } }
		{
			found = 0
			for (i = 1; i <= n; i++)
				if ($1 >= low[i] && $2 <= high[i])
					found = 1
			if (!found)
				bad = 1
		}
		END { exit bad || !NR }'
}

sum() { awk '{ sum += $2 - $1 } END { printf "%d\n", sum }'; }

# asked NAME: what the run's log tells of memory, beside $dir/bare of the bare machine.
asked() {
	local region mib base end answers values
	ok "$status" "$1: all questions are asked"
	usable >"$dir/told"
	within "$dir/bare" <"$dir/told"
	ok $? "$1: E820h offers what the bare machine does, or less"
	read -r mib region < <(sed -n 's/.*paging, \([0-9]*\) MiB at \([0-9a-f]*\),.*/\1 0x\2/p' "$log")
	base=$((region)) end=$((region + mib * 1048576))
	awk -v base="$base" -v end="$end" '$1 < end && $2 > base { bad = 1 } END { exit bad || end == 0 }' "$dir/told"
	ok $? "$1: E820h does not offer Nestling's memory"
	[ $(($(sum <"$dir/bare") - $(sum <"$dir/told") - mib * 1048576)) -le 131072 ]
	ok $? "$1: and offers all the rest"
	end=$(awk '$1 == 1048576 { print $2 }' "$dir/told")
	values=$(((end - 16777216) / 65536))
	[ "$(words_of e801 | xargs printf '%d ')" = "15360 $values 15360 $values " ]
	ok $? "$1: E801h says the same"
	values=$(((end - 1048576) / 1024))
	[ "$(($(words_of 88)))" = $((values < 64512 ? values : 64512)) ] && [ "$(($(words_of da88)))" = $values ]
	ok $? "$1: so do 88h and DA88h"
	[ $(($(words_of int12) * 1024)) = "$(awk '$1 == 0 { print $2 }' "$dir/told")" ]
	ok $? "$1: INT 12h says the same of base memory"
	answers=$(words_of refused | sort -u)
	[ "$answers" = 0x00010086 ] && [ "$(words_of refused | wc -l)" = 6 ]
	ok $? "$1: what cannot be answered is refused"
	[ "$(words_of kept)" = 0x12345678 ] && [ "$(words_of c0)" = "$(cat "$dir/bare-c0")" ]
	ok $? "$1: other calls are the BIOS's"
}

export MEM=128M
run bare BARE=1 L1="$dir/asks.elf"
ok "$status" "bare: all questions are asked"
usable >"$dir/bare"
words_of c0 >"$dir/bare-c0"
for boot in direct grub; do
	run "$boot" BOOT=$boot L1="$dir/asks.elf"
	asked "$boot"
done
run "npt=off" BOOT=direct L1="$dir/asks.elf" L0CMDLINE=npt=off SMP=2
asked "npt=off, 2 processors"
run "strict" BOOT=grub STRICT=1 L1="$dir/asks.elf" EMU=qemu
asked "strict"

for version in 0x203 0x207; do
	for boot in direct grub; do
		run "$version $boot" BOOT=$boot L1="$dir/setup-$version.bin" CMDLINE="one  two" INITRD="$dir/initrd"
		asked "real-mode entry, $version, $boot"
		tr -d '\r' <"$log" | grep -qaxE 'line one +two'
		ok $? "real-mode entry, $version, $boot: its command line"
		tr -d '\r' <"$log" | grep -qax 'initrd 7'
		ok $? "real-mode entry, $version, $boot: its initrd"
	done
done
run "real mode, npt=off" BOOT=direct L1="$dir/setup-0x207.bin" CMDLINE= L0CMDLINE=npt=off
asked "real-mode entry, npt=off"
run "real mode, strict" BOOT=direct L1="$dir/setup-0x207.bin" CMDLINE= STRICT=1
asked "real-mode entry, strict"
says "real-mode entry without a BIOS" "needs a BIOS" BOOT=uefi L1="$dir/setup-0x207.bin"
says "real-mode entry without a BIOS, GRUB" "needs a BIOS" BOOT=grub-efi L1="$dir/setup-0x207.bin"
done_testing
