/*
 * sockets LINK COUNT COMMAND...: make sockets in the network that this runs in, send them over the descriptor LINK, one
 * a message, and become the command.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WRONG = 125 };

static void send_one(int link)
{
	char byte = '.', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *part = CMSG_FIRSTHDR(&message);
	int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (made < 0)
		err(WRONG, "no socket can be made");
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(part), &made, sizeof(int));
	if (sendmsg(link, &message, 0) != 1)
		err(WRONG, "no socket can be sent");
	close(made);
}

int main(int argc, char **argv)
{
	struct rlimit before, most;

	if (argc < 4)
		errx(WRONG, "sockets LINK COUNT COMMAND...");
	/* what one user has sent of descriptors, and nobody has taken, is bounded by this limit as well */
	if (getrlimit(RLIMIT_NOFILE, &before))
		err(WRONG, "getrlimit");
	most = before;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	for (int count = atoi(argv[2]); count > 0; count--)
		send_one(atoi(argv[1]));
	setrlimit(RLIMIT_NOFILE, &before);
	close(atoi(argv[1]));
	execvp(argv[3], argv + 3);
	err(WRONG, "%s", argv[3]);
}
