/* store/base/banned.h - functions that cannot say how much they write. Included by every .c file
 * through meson (-include), so that a use does not compile. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#pragma GCC poison sprintf vsprintf strcpy strcat strncpy strncat gets strtok atoi atol
