#include "gateway/logline.h"

#include <stdio.h>

#define LINE_SIZE 1024

void logline_say (saker_log_fn *log_fn, int level, const char *format, va_list arguments)
{
    char message[LINE_SIZE];
    vsnprintf (message, sizeof message, format, arguments);
    log_fn (level, message, NULL);
}
