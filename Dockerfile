# The official image of PostgreSQL with dogpile installed and preloaded:
#
#	docker build -t dogpile .
#	docker run -e POSTGRES_PASSWORD=secret dogpile
#
ARG PG_MAJOR=15
FROM postgres:$PG_MAJOR
ARG PG_MAJOR

COPY . /tmp/dogpile
RUN apt-get update \
	&& apt-get install -y --no-install-recommends gcc make libc6-dev pkg-config \
		libhiredis-dev libmemcached-dev postgresql-server-dev-$PG_MAJOR \
	&& make -C /tmp/dogpile clean \
	&& make -C /tmp/dogpile with_llvm=no install \
	&& apt-mark manual $(ldd $(pg_config --pkglibdir)/dogpile.so | awk '{ print $3 }' \
		| grep -E 'hiredis|memcached|hashkit' | xargs readlink -f | xargs dpkg -S \
		| cut -d: -f1 | sort -u) \
	&& apt-get purge -y --auto-remove gcc make libc6-dev pkg-config \
		libhiredis-dev libmemcached-dev postgresql-server-dev-$PG_MAJOR \
	&& rm -rf /tmp/dogpile /var/lib/apt/lists/*

CMD ["postgres", "-c", "shared_preload_libraries=dogpile"]
