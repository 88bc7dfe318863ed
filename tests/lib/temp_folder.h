/* Temporary folders for tests, removed with all that is in them. */

#ifndef TESTS_LIB_TEMP_FOLDER_H_INCLUDED
#define TESTS_LIB_TEMP_FOLDER_H_INCLUDED

#define TEMP_FOLDER_BYTES 64

/* Makes a new, empty one (0700) under $TMPDIR or /tmp; ends the program when it cannot. */
void temp_folder_make (char path[TEMP_FOLDER_BYTES]);
void temp_folder_remove (const char *path);

#endif
