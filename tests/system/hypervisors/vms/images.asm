; The guest's images for 16, 32 and 64 bits, as the runner puts them into L2's memory.
section .rodata
%macro image 1
global image%1, image%1_end
image%1:
	incbin IMAGE%1
image%1_end:
%endmacro
image 16
image 32
image 64
section .note.GNU-stack noalloc noexec nowrite progbits
