# The image of xtokend: the program, and nothing else. `make image` builds it, from
# the folder that packaging/build-image.sh fills.
#
#   docker run -v /etc/xtokend:/etc/xtokend:ro -v xtokend:/var/lib/xtokend \
#     -p 5222:5222 -p 5223:5223 -p 5281:5281 xtokend
#
# The settings and what they name must be readable for user 65532. If a server's
# certificate is to be checked by the system's authorities, and not by a ca_file,
# add -v /etc/ssl/certs:/etc/ssl/certs:ro.
FROM scratch
COPY usr /usr
COPY etc /etc
COPY --chown=65532:65532 run/xtokend /run/xtokend
COPY --chown=65532:65532 var/lib/xtokend /var/lib/xtokend
USER 65532:65532
VOLUME /var/lib/xtokend
EXPOSE 5222 5223 5280 5281
ENTRYPOINT ["/usr/bin/xtokend"]
CMD ["serve"]
