#!/bin/bash
# What the EFI program finds wrong it says in one line on UEFI's console, and returns.
. "$(dirname "$0")/lib.sh"

export BOOT=uefi
says_in_firmware "no SVM" "has no SVM" CPU=max,svm=off
says_in_firmware "no NPT" "no nested paging" CPU=max,npt=off L0CMDLINE=npt=on
says_in_firmware "L1 is missing" "cannot read the file of l1=nothing.elf: there is no such file" \
	CONFIG="l1=nothing.elf"
says_in_firmware "L1 is a directory" "cannot read the file of l1=\\EFI" CONFIG='l1=\EFI'
says_in_firmware "initrd is missing" "cannot read the file of initrd=a/b: there is no such file" \
	CONFIG="l1=pae.elf initrd=a/b"
says_in_firmware "a module is missing" "cannot read the file of module=c: there is no such file" \
	CONFIG='l1=pae.elf module="pae.elf a" module="c d" initrd=e'
says_in_firmware "a module without a name" 'bad value in configuration word "module=" a"": begin it' \
	CONFIG='l1=pae.elf module=" a"'
says_in_firmware "no L1" "no L1 is named" CONFIG="la57=off"
says_in_firmware "empty configuration" "no L1 is named" CONFIG=""
says_in_firmware "unknown word" 'unknown configuration word "color=blue"' \
	CONFIG="l1=pae.elf color=blue"
says_in_firmware "malformed word" 'bad value in configuration word "la57=7"' \
	CONFIG="l1=pae.elf la57=7"
says_in_firmware "too long" "shorten it" CONFIG="l1=pae.elf cmdline=$(printf '%2100s' '' | tr ' ' x)"
says_in_firmware "everything of nothing" "everything= names no image" CONFIG="everything=pae.elf,"
says_in_firmware "everything and L1" "everything= goes with neither l1=" CONFIG="l1=pae.elf everything=pae.elf"
done_testing
