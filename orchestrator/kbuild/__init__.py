"""From a tree and fragments to a kernel; single objects, test programs, and addresses to lines."""
